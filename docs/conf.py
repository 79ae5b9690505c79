"""How the documentation is built: `make docs`."""

import sys
from pathlib import Path

import znought

# The reference pages are made from the code by a package of this folder.
sys.path.insert(0, str(Path(__file__).parent))

project = "znought"
author = "znought developers"
release = version = znought.__version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "reference"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
myst_fence_as_directive = ["math"]
default_role = "code"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
maximum_signature_line_length = 80
toc_object_entries = False
autodoc_member_order = "bysource"
napoleon_use_ivar = True
python_use_unqualified_type_names = True
copybutton_prompt_text = "$ "

html_theme = "furo"
html_title = f"znought {release}"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_math_renderer = "mathml"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
