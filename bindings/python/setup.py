"""The wheel holds a shared library that is loaded by ctypes: one file a platform, any CPython."""

import os

from setuptools import setup

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:
    from wheel.bdist_wheel import bdist_wheel


class PlatformWheel(bdist_wheel):
    def finalize_options(self) -> None:
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self) -> tuple[str, str, str]:
        # build.sh knows what the library needs; see there.
        return "py3", "none", os.environ["SENDPATH_WHEEL_PLATFORM"]


setup(cmdclass={"bdist_wheel": PlatformWheel})
