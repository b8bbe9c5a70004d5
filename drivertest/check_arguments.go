package drivertest

import (
	"context"
	"database/sql"
	"database/sql/driver"
)

var argumentChecks = []Check{
	{
		Name: "ArgumentsAreTheCallersAgain",
		Rule: "Once Exec has returned, the caller may overwrite the bytes that it has given.",
		run:  (*suite).ownArguments,
	},
	{
		Name: "ArgumentsAreCounted",
		Rule: "Too few and too many arguments are an error, prepared or not, and nothing is written.",
		run:  (*suite).countArguments,
	},
	{
		Name:  "NamesDecideNotPlaces",
		Rule:  "Named arguments go where their names stand, in whatever order they are given.",
		needs: needsNames,
		run:   (*suite).namedArguments,
	},
	{
		Name:  "UnknownNamesAreRefused",
		Rule:  "An argument whose name is not in the statement, and a name without an argument, are errors.",
		needs: needsNames,
		run:   (*suite).unknownNames,
	},
	{
		Name: "PointersAndValuersAreWhatTheyStandFor",
		Rule: "A nil pointer is NULL, another pointer its value, a Valuer what its Value gives; a nil pointer of a type with Value is NULL and not called.",
		run:  (*suite).valuers,
	},
}

func (s *suite) ownArguments() {
	value := []byte("as given")
	prepared, err := s.db.Prepare(s.o.Insert)
	s.must(err, "Prepare")
	defer prepared.Close()
	s.insert(s.db, "plain", value)
	_, err = prepared.Exec("prepared", value)
	s.must(err, "Insert, prepared")
	copy(value, "changed.")
	for _, r := range s.rows(s.db) {
		if string(r.value) != "as given" {
			s.Errorf("%s: bytes that were changed after Exec are stored as %q", r.key, r.value)
		}
	}
}

func (s *suite) countArguments() {
	wrong := [][]any{{}, {"key"}, {"key", []byte("value"), "more"}}
	prepared, err := s.db.Prepare(s.o.Insert)
	s.must(err, "Prepare")
	defer prepared.Close()
	for _, args := range wrong {
		if _, err := s.db.Exec(s.o.Insert, args...); err == nil {
			s.Errorf("Exec takes %d arguments for two", len(args))
		}
		if _, err := prepared.Exec(args...); err == nil {
			s.Errorf("a prepared statement takes %d arguments for two", len(args))
		}
	}
	for _, args := range [][]any{{}, {"key", "more"}} {
		rows, err := s.db.Query(s.o.Select, args...)
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
			rows.Close()
		}
		if err == nil {
			s.Errorf("Query takes %d arguments for one", len(args))
		}
	}
	s.wantKeys(s.db, "after wrong numbers of arguments")
}

func (s *suite) namedArguments() {
	_, err := s.db.Exec(s.o.InsertNamed, sql.Named("key", "a"), sql.Named("value", []byte("1")))
	s.must(err, "InsertNamed")
	_, err = s.db.Exec(s.o.InsertNamed, sql.Named("value", []byte("2")), sql.Named("key", "b"))
	s.must(err, "InsertNamed, the other way round")
	s.wantKeys(s.db, "with named arguments", "a", "b")
}

func (s *suite) unknownNames() {
	wrong := [][]any{
		{sql.Named("key", "a")},
		{sql.Named("key", "a"), sql.Named("valu", []byte("1"))},
		{sql.Named("key", "a"), sql.Named("value", []byte("1")), sql.Named("more", 1)},
	}
	for _, args := range wrong {
		if _, err := s.db.Exec(s.o.InsertNamed, args...); err == nil {
			s.Errorf("InsertNamed takes %v", args)
		}
	}
	s.wantKeys(s.db, "after wrong names")
}

// A wrapped is a text in other clothes.
type wrapped struct{ text string }

// Value implements driver.Valuer. It cannot be called on a nil pointer.
func (w wrapped) Value() (driver.Value, error) { return []byte(w.text), nil }

var _ driver.Valuer = wrapped{}

func (s *suite) valuers() {
	text := "text"
	tests := []struct {
		key  string
		arg  any
		want []byte
	}{
		{"nil", nil, nil},
		{"nil pointer", (*string)(nil), nil},
		{"nil valuer", (*wrapped)(nil), nil},
		{"null", sql.NullString{}, nil},
		{"valuer", wrapped{"text"}, []byte(text)},
		{"pointer to a valuer", &wrapped{"text"}, []byte(text)},
		{"pointer", &text, []byte(text)},
	}
	for _, tt := range tests {
		if _, err := s.db.ExecContext(context.Background(), s.o.Insert, tt.key, tt.arg); err != nil {
			s.Errorf("%s as an argument: %v", tt.key, err)
			continue
		}
		var got []byte
		s.must(s.db.QueryRow(s.o.Select, tt.key).Scan(&got), "Select")
		s.wantBytes(got, tt.want)
	}
}
