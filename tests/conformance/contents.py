"""Tools, resources and prompts by the names that the suite calls, for kinds of content."""

import base64
import json

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    AudioContent,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)

from server.client_log import ClientLog
from server.deps import Deps

# One pixel, and no sound.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
SILENCE = bytes.fromhex("524946462400000057415645666d74201000000001000100401f0000401f0000") + bytes(
    [1, 0, 8, 0, *b"data", 0, 0, 0, 0]
)

IMAGE = ImageContent(type="image", data=PNG, mime_type="image/png")
SOUND = AudioContent(type="audio", data=base64.b64encode(SILENCE).decode(), mime_type="audio/wav")


def register_contents(mcp: MCPServer[Deps]) -> None:
    """Puts them on the server."""
    for tool in (
        test_simple_text, test_image_content, test_audio_content, test_embedded_resource,
        test_multiple_content_types, test_error_handling, test_tool_with_progress,
        test_tool_with_logging, test_logging_tool,
    ):  # fmt: skip
        mcp.tool()(tool)
    for prompt in (
        test_simple_prompt, test_prompt_with_arguments, test_prompt_with_embedded_resource,
        test_prompt_with_image,
    ):  # fmt: skip
        mcp.prompt()(prompt)
    mcp.resource("test://static-text", mime_type="text/plain")(static_text)
    mcp.resource("test://static-binary", mime_type="image/png")(static_binary)
    mcp.resource("test://template/{id}/data", mime_type="application/json")(template_data)


def test_simple_text() -> list[TextContent]:
    """Gives a text."""
    return [TextContent(type="text", text="This is a simple text response for testing.")]


def test_image_content() -> list[ImageContent]:
    """Gives an image."""
    return [IMAGE]


def test_audio_content() -> list[AudioContent]:
    """Gives a sound."""
    return [SOUND]


def test_embedded_resource() -> list[EmbeddedResource]:
    """Gives a resource."""
    return [_embedded("test://embedded-resource", "This is an embedded resource content.")]


def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    """Gives a text, an image and a resource."""
    text = TextContent(type="text", text="Multiple content types test:")
    return [text, IMAGE, _embedded("test://mixed", '{"test":"data","value":123}')]


def test_error_handling() -> str:
    """Fails."""
    raise ToolError("This tool intentionally returns an error for testing")


async def test_tool_with_progress(ctx: Context[Deps]) -> str:
    """Tells how far it is."""
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100, f"{done} %")
    return "done"


async def test_tool_with_logging(ctx: Context[Deps]) -> str:
    """Tells what it does, as calls of the server's own tools do."""
    log = ClientLog(ctx.request_context)
    for step in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await log.tell("info", step)
    return "done"


async def test_logging_tool(ctx: Context[Deps]) -> str:
    """Tells what it does to whoever asked for that."""
    await ClientLog(ctx.request_context).tell("info", "called")
    return "done"


def static_text() -> str:
    """A text."""
    return "This is the content of the static text resource."


def static_binary() -> bytes:
    """An image."""
    return base64.b64decode(PNG)


def template_data(id: str) -> str:
    """Data by id."""
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def test_simple_prompt() -> str:
    """A text."""
    return "This is a simple prompt for testing."


def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """A text with what is given."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
    """A resource and a text."""
    resource = _embedded(resourceUri, "Embedded resource content for testing.")
    return [UserMessage(resource), UserMessage("Please process the embedded resource above.")]


def test_prompt_with_image() -> list[UserMessage]:
    """An image and a text."""
    return [UserMessage(IMAGE), UserMessage("Please analyze the image above.")]


def _embedded(uri: str, text: str) -> EmbeddedResource:
    contents = TextResourceContents(uri=uri, mime_type="text/plain", text=text)
    return EmbeddedResource(type="resource", resource=contents)
