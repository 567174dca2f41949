"""Takes work from the lanes, does it, stores how it ended.

`supervisor` keeps one `process` alive; a process runs `inbound` (customers' messages), `outbound` (sends, one for
each number) and `maintenance`. Kept free of imports, so that the supervisor stays small.
"""
