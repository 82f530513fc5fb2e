"""Downloads that survive cuts, kills, full disks and links that expire.

``names``, ``answers`` and ``checksums`` decide and do no I/O; ``folder``, ``partial`` and
``manifest`` keep what is on the disk; ``links`` and ``transfer`` talk; ``engine`` leads them all.
"""
