"""opencode: a tool file, a stand-in for its `bash`, a guard, and answers to its questions.

What is JavaScript here is copied into a project by `install`; it asks the daemon.
"""
