"""The plug-ins that are installed, found as the manual said."""

import pkg_resources

assert pkg_resources.get_distribution("setuptools").version
groups = {point.name for point in pkg_resources.iter_entry_points("distutils.commands")}
assert "build_py" in groups
