"""Worker processes: take work from the store, do it, store the result.

`supervisor` keeps one `process` alive; a process runs `inbound` (customers' messages), `outbound` (sends, one for each
number) and `maintenance`. This package imports nothing, so that the supervisor stays small.
"""
