-- Conversations that were deleted: what is still on its way to one of them is not kept.
CREATE TABLE chat.deleted (
    thread_id uuid PRIMARY KEY,
    deleted_at timestamptz NOT NULL DEFAULT now()
);
