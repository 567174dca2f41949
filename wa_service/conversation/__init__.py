"""What we answer: hear, understand, respond. Returns replies, never sends, writes nothing.

Kept free of imports: the child process of `speech_process` loads this package too, and must stay small.
"""
