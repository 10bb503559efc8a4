"""`python -m confluence_mcp`, where the command is not on the path."""

import sys

from confluence_mcp.command_line import main

sys.exit(main())
