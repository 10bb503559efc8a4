"""What hangs on the pages of a simulated site: comments in threads, and attachments."""

from dataclasses import replace

from tests.confluence.accounts import Accounts
from tests.confluence.content import (
    START,
    Attachment,
    AttachmentVersion,
    Clock,
    Comment,
    Ids,
    Resolution,
    User,
    Version,
)


class Items(Accounts):
    """Comments and attachments by id. None of their changes is a new version of their page."""

    def __init__(self, ids: Ids) -> None:
        Accounts.__init__(self, ids)
        self.clock = Clock(START)
        self.comments: dict[str, Comment] = {}
        self.attachments: dict[str, Attachment] = {}

    def comment(
        self,
        content_id: str,
        body: str,
        *,
        selection: str | None = None,
        parent: str | None = None,
        author: User | None = None,
    ) -> Comment:
        """Add a comment: inline where it has a selection, a reply where it has a parent.

        A reply is inline where its thread is; then it has no selection of its own.
        """
        comment_id, now = self._ids.take(), self.clock.tick()
        author_id = (author or self.crawler).account_id
        comment = Comment(
            id=comment_id,
            container_id=content_id,
            parent_id=parent,
            selection=selection,
            resolution=None if selection is None else "open",
            status="current",
            author_id=author_id,
            created_at=now,
            versions=(Version(1, now, author_id, "", body),),
        )
        self.comments[comment_id] = comment
        return comment

    def edit_comment(self, comment_id: str, body: str) -> Comment:
        """Write another body, which is a new version of the comment."""
        comment = self.comments[comment_id]
        version = replace(
            comment.version,
            number=comment.version.number + 1,
            created_at=self.clock.tick(),
            body=body,
        )
        return self._put_comment(replace(comment, versions=(*comment.versions, version)))

    def resolve_comment(self, comment_id: str) -> Comment:
        """Close a thread; that is no new version of its first comment."""
        return self._resolve(comment_id, "resolved")

    def reopen_comment(self, comment_id: str) -> Comment:
        """Open a thread again; that is no new version of its first comment."""
        return self._resolve(comment_id, "reopened")

    def dangle_comment(self, comment_id: str) -> Comment:
        """Take the text away that an inline comment points at; that is no new version of it."""
        return self._resolve(comment_id, "dangling")

    def delete_comment(self, comment_id: str) -> None:
        """Delete a comment with all replies to it."""
        self.clock.tick()
        self._put_comment(replace(self.comments[comment_id], status="deleted"))
        for reply in self.replies(comment_id):
            self.delete_comment(reply.id)

    def replies(self, comment_id: str) -> list[Comment]:
        """The direct replies to a comment, deleted ones too."""
        return [c for c in list(self.comments.values()) if c.parent_id == comment_id]

    def is_inline(self, comment: Comment) -> bool:
        """Whether a comment or the first one of its thread points at a text."""
        while comment.parent_id is not None:
            comment = self.comments[comment.parent_id]
        return comment.selection is not None

    def attach(
        self,
        content_id: str,
        filename: str,
        *,
        media_type: str = "application/octet-stream",
        data: bytes = b"",
        comment: str = "",
    ) -> Attachment:
        """Put a file on a page or blog post."""
        attachment_id, now = f"att{self._ids.take()}", self.clock.tick()
        attachment = Attachment(
            id=attachment_id,
            container_id=content_id,
            filename=filename,
            media_type=media_type,
            status="current",
            author_id=self.crawler.account_id,
            versions=(AttachmentVersion(1, now, data),),
            comment=comment,
        )
        self.attachments[attachment_id] = attachment
        return attachment

    def replace_attachment(self, attachment_id: str, data: bytes) -> Attachment:
        """Upload other bytes under the same name, which is a new version of the attachment."""
        attachment = self.attachments[attachment_id]
        version = AttachmentVersion(attachment.version + 1, self.clock.tick(), data)
        changed = replace(attachment, versions=(*attachment.versions, version))
        self.attachments[attachment_id] = changed
        return changed

    def delete_attachment(self, attachment_id: str) -> None:
        """Move an attachment to the trash."""
        self.clock.tick()
        attachment = self.attachments[attachment_id]
        self.attachments[attachment_id] = replace(attachment, status="trashed")

    def purge_items(self, content_id: str) -> None:
        """Remove for good what hangs on a content."""
        for attachment in list(self.attachments.values()):
            if attachment.container_id == content_id:
                del self.attachments[attachment.id]
        for comment in list(self.comments.values()):
            if comment.container_id == content_id:
                del self.comments[comment.id]

    def _resolve(self, comment_id: str, resolution: Resolution) -> Comment:
        self.clock.tick()
        return self._put_comment(replace(self.comments[comment_id], resolution=resolution))

    def _put_comment(self, comment: Comment) -> Comment:
        self.comments[comment.id] = comment
        return comment
