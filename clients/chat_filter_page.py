"""The filters on the page: what there is to choose, and what was chosen."""
# Chainlit leaves the types of its session open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from datetime import UTC, datetime

import chainlit as cl
from chainlit.input_widget import MultiSelect, Select, Tags

from chat_filters import ANY_TIME, PERIODS, ChatFilters, filters_from
from chat_overview import Overview

SPACES, PERIOD = "spaces", "period"


async def offer_filters(overview: Overview) -> None:
    """Shows the filters with what was chosen before, if the chat goes on."""
    label, hint = "Spaces", "Look only in these spaces; none means all."
    names = {f"{name} ({key})": key for key, name in overview.spaces.items()}
    spaces = chosen_filters().spaces
    # A server that lists no spaces still limits a search to keys that somebody types.
    choice = (
        MultiSelect(id=SPACES, label=label, items=names, initial=[*spaces], description=hint)
        if names
        else Tags(id=SPACES, label=label, initial=[*spaces], description=f"{hint} Type their keys.")
    )
    period = str(_chosen().get(PERIOD) or ANY_TIME)
    changed = Select(id=PERIOD, label="Last changed", items=PERIODS, initial_value=period)
    await cl.ChatSettings([choice, changed]).send()


def chosen_filters() -> ChatFilters:
    """What this chat is limited to now."""
    chosen, today = _chosen(), datetime.now(UTC).date()
    return filters_from(chosen.get(SPACES), chosen.get(PERIOD), today)


def _chosen() -> dict[str, object]:
    kept: object = cl.user_session.get("chat_settings")
    return {str(name): value for name, value in kept.items()} if isinstance(kept, dict) else {}
