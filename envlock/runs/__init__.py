"""What was run in an environment: recorded, kept, found again.

Making a record stands between a user and every program they run, so these load little and work on
the record's JSON as it is written (docs/runs.md):

- ``perform``     one run from its first note to its record
- ``order``       what is asked for
- ``ending``      how it ended, how long it took, what it used
- ``place``       the project that a run belongs to
- ``environment`` the lock, and what is really installed
- ``code``        the commit, and what differs from it
- ``data``        declared inputs and outputs
- ``parameters``  given, from files, from the command line; metrics
- ``output``      tail and digest of what was said
- ``secrets``     what must not be written down
- ``ids``         how a run is called
- ``papermill``   what the command line of papermill says
- ``notes``       what a program says of its own run
- ``inside``      a run that is recorded from within
- ``folder``      the store in a folder of the project
- ``keeping``     where a record goes, whatever cannot be written

Looking at records:

- ``store``       what a store must do
- ``record``      a record as a value
- ``facts``       what runs are found by
- ``difference``  why two runs differ
- ``compare``     many runs side by side
- ``exports``     records in the forms that others read
- ``chart``       a metric as points on axes, drawn as text and as SVG
- ``index``       answers to questions about many, made from the store, disposable
- ``observed``    a trace, folded to what a person calls inputs and outputs

Running one again (docs/repeat.md):

- ``repeat``      made ready in a folder of its own; what it made, beside what the run had made
- ``judge``       whether two files that should be the same are
"""
