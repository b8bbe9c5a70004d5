package query

import (
	"github.com/eventfold/eventfold/parser"
)

// foreignColumns tells for names that other event stores give to the columns of an event what they
// are called here.
var foreignColumns = invert(map[string][]string{
	"recorded_at": {
		"ts", "timestamp", "time", "date", "datetime", "created", "created_at", "createdat",
		"created_on", "create_time", "inserted_at", "stored_at", "occurred_at", "occurredat",
		"occurred_on", "event_time", "event_timestamp", "recorded", "recordedat", "recorded_on",
		"committed_at", "at",
	},
	"payload": {
		"data", "body", "event_data", "eventdata", "event_payload", "event_body", "content",
		"contents", "message", "msg", "json", "json_data", "doc", "document", "value", "data_json",
	},
	"stream": {
		"stream_id", "streamid", "stream_name", "streamname", "stream_key", "aggregate",
		"aggregate_id", "aggregateid", "aggregate_root_id", "entity", "entity_id", "entityid",
		"topic", "subject", "source",
	},
	"type": {"event_type", "eventtype", "type_name", "typename", "event_name", "eventname",
		"event_kind", "kind", "message_type", "name"},
	"id": {"event_id", "eventid", "event_uuid", "uuid", "guid", "message_id", "messageid"},
	"version": {"revision", "rev", "stream_version", "streamversion", "stream_revision",
		"stream_position", "aggregate_version", "entity_version", "event_number", "event_version", "version_number"},
	"position": {
		"sequence", "seq", "seq_no", "seqno", "sequence_number", "sequence_no", "sequence_num",
		"sequence_id", "offset", "pos", "index", "global_position", "globalposition",
		"global_sequence", "global_seq", "global_offset", "global_id", "log_position", "ordering",
		"commit_position", "rowid", "row_id", "oid",
	},
	"metadata": {"meta", "meta_data", "headers", "header", "event_metadata", "attributes",
		"properties", "context"},
	"tags":     {"tag", "labels", "label", "keywords"},
	"event":    {"events"},
	"redacted": {"erased", "is_redacted", "is_erased", "shredded", "deleted", "is_deleted"},
})

func invert(lists map[string][]string) map[string]string {
	names := map[string]string{}
	for column, others := range lists {
		for _, other := range others {
			names[other] = column
		}
	}
	return names
}

// maxSimilar is the greatest length of a name that is compared with others letter by letter.
const maxSimilar = 64

// sameName compares two names without regard to ASCII case.
func sameName(a, b string) bool { return a == b || parser.LowerASCII(a) == parser.LowerASCII(b) }

func aliasOr(alias, name string) string {
	if alias != "" {
		return alias
	}
	return name
}
