"""Builds the compiled kernels where there is a compiler; without one the package is the same, only slower."""

import os
import platform
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "rtdecode._kernels"
SOURCES = ["rtdecode/_kernels.c", "rtdecode/_chain.c", "rtdecode/_search.c"]
LIMITED_API = "0x030b0000"  # Python 3.11: one build for it and all later ones
UNIX = ["-std=c11", "-O3", "-ffp-contract=off"]  # contracted, sums would have other bits than scipy's
MICROSOFT = ["/std:c11", "/O2", "/fp:precise"]


class Kernels(BuildHookInterface):
    """Compiles into the source tree, where an editable installation looks, and takes it into the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        try:
            built = _build(Path(self.root))
        except Exception as problem:  # whatever a compiler, or none, may raise
            self.app.display_warning(f"not compiled, slower without: {problem}")
            return
        from packaging.tags import sys_tags

        build_data["artifacts"].append(f"rtdecode/{built.name}")
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{next(sys_tags()).platform}"


def _build(root: Path) -> Path:
    """The library, beside its source."""
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    microsoft = platform.system() == "Windows"
    extension = Extension(
        NAME,
        SOURCES,
        define_macros=[("Py_LIMITED_API", LIMITED_API)],
        py_limited_api=True,
        extra_compile_args=MICROSOFT if microsoft else UNIX,
        libraries=[] if microsoft else ["m"],
    )
    before = Path.cwd()
    os.chdir(root)  # paths are relative, so that none of this machine's is in the library
    try:
        with tempfile.TemporaryDirectory(prefix="rtdecode-kernels-") as temporary:
            command = build_ext(Distribution({"name": "rtdecode", "ext_modules": [extension]}))
            command.inplace, command.force, command.build_temp = True, True, temporary
            command.finalize_options()
            command.run()
            return Path(command.get_ext_fullpath(NAME))
    finally:
        os.chdir(before)
