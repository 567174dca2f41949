-- Meta says, outside any message, that addresses are one person's. who: see `resolve`.
-- Return 1, or 0 where nobody was known, and nobody is to become known by it.
-- args: number who:json retention:number
-- include: allow_when_full clock lifetime wake consent identity
return resolve(number, who, retention) and 1 or 0
