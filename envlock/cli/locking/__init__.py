"""`envlock lock`: its report, and what is known before anything is loaded.

- ``again``   the same question once more: the same answer, if uv's is
- ``ahead``   uv at work while the rest of envlock loads
- ``keeping`` what ``again`` and ``fresh`` go by
- ``report``  what changed, for people and as JSON
"""
