"""A Confluence simulator: a site in memory, an HTTP personality, and scripted faults.

A site and how people change it (site.py); ids are strings of digits:

    site = Site()       # one account, site.crawler, with a token: accounts.py has EMAIL and TOKEN
    site = filled_site({"ENG": 600, "HR": 40})      # samples.py: spaces with so many pages
    site = site_with_space()                        # samples.py: one empty space, ENG
    site.add_space("ENG", "Engineering")
    pages = site.add_tree("ENG", {"Handbook": {"Leave": {}, "Travel": {}}})    # by title
    page = site.add_page("ENG", "Title", "<p>storage format</p>", parent=pages["Leave"].id)
    post = site.add_blogpost("ENG", "News", "<p>...</p>")
    site.edit(page.id, "<p>new</p>"); site.rename(page.id, "Other"); site.move(page.id, parent=...)
    site.archive(page.id); site.trash(page.id, children="orphan"); site.restore(page.id)
    site.purge(page.id); site.label(page.id, "howto"); site.unlabel(page.id, "howto")
    site.hide(page.id); site.reveal(page.id)        # invisible: 404, and left out of listings
    site.add_user("Ada", email="ada@example.com"); site.issue_token(user, scopes={...})
    comment = site.comment(page.id, "<p>Why?</p>", selection="text")    # no selection: a footer one
    site.comment(page.id, "<p>So.</p>", parent=comment.id); site.edit_comment(comment.id, "<p/>")
    site.resolve_comment(comment.id); site.reopen_comment(comment.id); site.delete_comment(...)
    plan = site.attach(page.id, "plan.pdf", media_type="application/pdf", data=b"...")
    site.replace_attachment(plan.id, b"..."); site.delete_attachment(plan.id)
    folder = site.add_node("folder", "ENG", "Plans"); site.expire_cursors()
    site.unindexed.add(folder.id)                   # no search finds it yet
    site.content(page.id); site.space("ENG")        # records never change: read them again
    site.clock.advance(timedelta(days=1))           # changes tick one second each

Serving it (server.py):

    faults = Faults()
    with serve(site, faults) as base_url:           # http://127.0.0.1:PORT/wiki
        ...
    httpx.AsyncClient(transport=InProcess(site, faults), base_url="http://simulated.test/wiki")

The gateway answers at /ex/confluence/{site.cloud_id}/wiki on the same port; tokens with scopes
work only there.

What goes wrong (faults.py), by shell patterns on path and query:

    faults.add(rate_limited(retry_after=1), "*/api/v2/pages/*", times=2)
    faults.add(failing(503), "*/pages", after=1)    # also 404, 403, 500, 502, 504
    faults.add(connection_reset(after=20)); faults.add(truncated()); faults.add(slow(0.5))
    faults.add(expired_cursor(), query="*cursor=*")
    faults.add(clamped(10), times=None)             # listings give 10 whatever was asked for
    faults.add(repeated_results(), "*/pages", times=None)
    faults.add(endless(), "*/pages", times=None)    # the next link leads to the same page
    faults.add(before(lambda: site.trash(page.id)), "*/pages", after=1)    # in mid-sweep
    faults.add(rewritten(lambda answer: {**answer, "results": []}))

What was asked (request_log.py):

    site.request_log.count("*/api/v2/spaces/*/pages", status=200)
    site.request_log.most_in_flight; site.request_log.entries; site.request_log.clear()
"""
