"""Starts a program and knows what it read, wrote, ran and reached, without being told.

- ``supervise``  the one entrance: run a program to its end, everything passed through
- ``model``      what comes out: plain values
- ``child``      the steps between fork and exec
- ``between``    the same in a process of its own, for a caller that works meanwhile
- ``signals``    what this process is sent is passed on
- ``tracer``     tracing set up and brought to its end
- ``filter``     which system calls stop (BPF); ``abi`` has their numbers
- ``descriptors`` hands descriptors from process to process
- ``listener``   receives and answers them, whoever is killed
- ``sampler``    the next best way: what is open, looked at now and then
- ``recorder``   makes events of them, with ``memory``, ``paths``, ``network`` and ``maps``

docs/tracing.md says what is seen and what is not.
"""
