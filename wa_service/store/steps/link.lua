-- Link addresses that Meta, outside any message, says are one person's. who: see `resolve`.
-- Return 1, or 0 where no contact was known and `who` asks for known ones only.
-- args: number who:json retention:number
-- include: allow_when_full clock lifetime wake consent identity
return resolve(number, who, retention) and 1 or 0
