CREATE TABLE chat.version (
    version integer PRIMARY KEY,
    made_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE chat.person (
    person_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    identifier text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE chat.thread (
    thread_id uuid PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES chat.person ON DELETE CASCADE,
    name text,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX thread_of_person ON chat.thread (person_id, updated_at DESC, thread_id);
CREATE INDEX thread_by_age ON chat.thread (updated_at);

-- What Chainlit shows of a conversation: messages and look-ups as it hands them over.
CREATE TABLE chat.step (
    step_id uuid PRIMARY KEY,
    thread_id uuid NOT NULL REFERENCES chat.thread ON DELETE CASCADE,
    position bigint GENERATED ALWAYS AS IDENTITY,
    content jsonb NOT NULL
);

CREATE INDEX step_of_thread ON chat.step (thread_id, position);

-- What is shown beside a message. `body` is its content where that is not within `content`.
CREATE TABLE chat.element (
    element_id uuid PRIMARY KEY,
    thread_id uuid NOT NULL REFERENCES chat.thread ON DELETE CASCADE,
    step_id uuid,
    content jsonb NOT NULL,
    body bytea
);

CREATE INDEX element_of_thread ON chat.element (thread_id);
CREATE INDEX element_of_step ON chat.element (step_id);

CREATE TABLE chat.feedback (
    step_id uuid PRIMARY KEY REFERENCES chat.step ON DELETE CASCADE,
    value smallint NOT NULL CHECK (value IN (0, 1)),
    comment text,
    given_at timestamptz NOT NULL DEFAULT now()
);

-- A question with its answer, as the chat model is told of it in later turns. `answer_id` is the
-- step that shows the answer, `cited` are page ids in the order of their first mention.
CREATE TABLE chat.turn (
    answer_id uuid PRIMARY KEY,
    thread_id uuid NOT NULL REFERENCES chat.thread ON DELETE CASCADE,
    position bigint GENERATED ALWAYS AS IDENTITY,
    question text NOT NULL,
    answer text NOT NULL,
    cited text[] NOT NULL
);

CREATE INDEX turn_of_thread ON chat.turn (thread_id, position);

-- The numbered passages of a conversation.
CREATE TABLE chat.source (
    thread_id uuid NOT NULL REFERENCES chat.thread ON DELETE CASCADE,
    number integer NOT NULL,
    passage jsonb NOT NULL,
    PRIMARY KEY (thread_id, number)
);
