"""Takes work from the lanes, does it, says how it ended.

`supervisor` keeps one `process` alive; a process runs `inbound` (customers' messages), `outbound` (sends, one for
each number) and the `janitor`. Kept free of imports, so that the supervisor stays small.
"""
