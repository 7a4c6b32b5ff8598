-- migrate:up

-- Who opened the work, as W3C's traceparent, if that was traced: recovery, in a trace of its own, links to it. Otherwise NULL, which takes no room.
ALTER TABLE open_work ADD COLUMN trace_parent text CHECK (octet_length(trace_parent) <= 64);

-- migrate:down

ALTER TABLE open_work DROP COLUMN trace_parent;
