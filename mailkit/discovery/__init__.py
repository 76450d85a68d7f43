"""The settings of a domain's mail servers, found out from its name.

- ``found``: what may be found, and on whose word.
- ``autoconfig``: Thunderbird's configuration files, read as hostile input.
- ``web``: how they are got.
- ``services``: what the domain's DNS says (RFC 6186, 8314).
- ``guessing``: servers of common names; nobody's word, so each has to answer.
- ``search``: one source after the other; where a caller begins.

What is found decides where a password goes. So no source is asked over plain HTTP, no
server without TLS is taken, and what only DNS says of other domains is to be confirmed.
"""
