"""One process that serves calls to every client of a user, over a unix socket.

`server` is the process, `client` what talks to it. What the client imports is kept small: a
hook is a process of its own for each command, and its start is most of what it costs.
"""
