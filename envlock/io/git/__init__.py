"""Git's command line: repositories are read, never written.

- ``history``   which commit a branch, a tag or an id meant at a date
- ``checkout``  a commit's files in a folder of their own
- ``worktree``  the commit that a folder is of, and what differs from it
"""
