"""Which libraries of the system the locked wheels need, and which packages have them.

- ``elf``       what one ELF file needs and is called
- ``ranges``    a remote file as a file object, by range requests
- ``wheels``    what one wheel needs and brings, remembered by its digest
- ``needs``     what all wheels of a lock need of the system, per architecture
- ``contents``  which package has a file, from the archive's signed ``Contents``
- ``choice``    which of several packages it shall be
- ``advice``    all of this for one architecture, and in words

Only what files name as needed (``DT_NEEDED``) counts; what a program opens by name while it runs
(``dlopen``) cannot be seen.
"""
