"""Which tools serve which project type."""

from sandbox.python_api import PythonApi
from sandbox.static_pages import StaticPages
from sandbox.toolchain import Toolchain
from sandbox.vite_react import ViteReact
from schemas.templates import ProjectType

TOOLCHAINS: dict[ProjectType, Toolchain] = {
    ProjectType.VITE_REACT: ViteReact(),
    ProjectType.STATIC: StaticPages(),
    ProjectType.PYTHON_API: PythonApi(),
}
