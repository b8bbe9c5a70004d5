package drivertest

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"reflect"
	"strings"
	"time"
)

var valueChecks = []Check{
	{
		Name: "WhatIsInsertedIsReadBack",
		Rule: "Bytes come back as they went in, whatever is in them, and NULL comes back as NULL.",
		run:  (*suite).readBack,
	},
	{
		Name:  "ValuesHaveTheirTypes",
		Rule:  "A column of a result gives int64, float64, bool, []byte, string, time.Time or nil, which Scan can turn into the Go type.",
		needs: needsValues,
		run:   (*suite).valueTypes,
	},
	{
		Name:  "ScanTypesHoldTheirColumn",
		Rule:  "A variable of a column's ScanType takes every value of the column, NULL too where the column may be NULL, and the type is known before the first row.",
		needs: needsValues,
		run:   (*suite).scanTypes,
	},
	{
		Name: "ColumnsHaveNamesWithoutRows",
		Rule: "A result without rows has the names and types of its columns all the same.",
		run:  (*suite).columnNames,
	},
}

func (s *suite) readBack() {
	values := [][]byte{
		[]byte(`{"amount": 40}`), nil, {0, 1, 0xff, '\n', '\'', '"', '\\'}, []byte("größer 🎈"), bytes.Repeat([]byte("x"), 1<<16),
	}
	for i, v := range values {
		var arg any
		if v != nil {
			arg = bytes.Clone(v)
		}
		key := string(rune('a' + i))
		s.insert(s.db, key, arg)
		var got []byte
		s.must(s.db.QueryRow(s.o.Select, key).Scan(&got), "Select")
		s.wantBytes(got, v)
	}
	for i, r := range s.rows(s.db) {
		s.wantBytes(r.value, values[i])
	}
}

func (s *suite) wantBytes(got, want []byte) {
	s.Helper()
	if !bytes.Equal(got, want) || (got == nil) != (want == nil) {
		s.Errorf("%.40q comes back as %.40q", want, got)
	}
}

func (s *suite) valueTypes() {
	for _, v := range s.o.Values {
		var plain any
		s.must(s.db.QueryRow(v.Query, v.Args...).Scan(&plain), v.Query)
		if !driver.IsValue(plain) {
			s.Errorf("%s gives a %T, which no driver may give", v.Query, plain)
		}
		if v.Want == nil {
			s.wantNull(v, plain)
			continue
		}
		into := reflect.New(reflect.TypeOf(v.Want))
		if err := s.db.QueryRow(v.Query, v.Args...).Scan(into.Interface()); err != nil {
			s.Errorf("%s into a %T: %v", v.Query, v.Want, err)
			continue
		}
		if got := into.Elem().Interface(); !same(got, v.Want) {
			s.Errorf("%s gives %v, not %v", v.Query, got, v.Want)
		}
		var text sql.NullString
		if err := s.db.QueryRow(v.Query, v.Args...).Scan(&text); err != nil || !text.Valid {
			s.Errorf("%s as a text: %v, valid is %v", v.Query, err, text.Valid)
		}
	}
}

func (s *suite) wantNull(v Value, plain any) {
	s.Helper()
	var text sql.NullString
	if err := s.db.QueryRow(v.Query, v.Args...).Scan(&text); err != nil {
		s.Errorf("%s into a NullString: %v", v.Query, err)
	}
	if plain != nil || text.Valid {
		s.Errorf("%s gives %v and %q, not NULL", v.Query, plain, text.String)
	}
}

// same compares two values, and times as instants.
func same(a, b any) bool {
	at, ok := a.(time.Time)
	if bt, also := b.(time.Time); ok && also {
		return at.Equal(bt)
	}
	return reflect.DeepEqual(a, b)
}

func (s *suite) scanTypes() {
	s.insert(s.db, "null", nil)
	null := Value{Query: s.o.Select, Args: []any{"null"}}
	for _, v := range append([]Value{null}, s.o.Values...) {
		rows, err := s.db.Query(v.Query, v.Args...)
		s.must(err, v.Query)
		types, err := rows.ColumnTypes()
		s.must(err, "ColumnTypes")
		if len(types) != 1 {
			s.Fatalf("%s has %d columns; a Value has one", v.Query, len(types))
		}
		scan, name := types[0].ScanType(), types[0].DatabaseTypeName()
		if name != strings.ToUpper(name) {
			s.Errorf("%s: the type %s is not in capitals", v.Query, name)
		}
		switch {
		case scan == nil:
			s.Errorf("%s has no ScanType", v.Query)
		case !rows.Next():
			s.Errorf("%s gives no row: %v", v.Query, rows.Err())
		default:
			if err := rows.Scan(reflect.New(scan).Interface()); err != nil {
				s.Errorf("%s does not go into its own ScanType %v: %v", v.Query, scan, err)
			}
		}
		s.must(rows.Close(), "closing rows")
	}
}

func (s *suite) columnNames() {
	for _, filled := range []string{"without rows", "with a row"} {
		rows, err := s.db.Query(s.o.All)
		s.must(err, "All")
		names, err := rows.Columns()
		s.must(err, "Columns")
		types, err := rows.ColumnTypes()
		s.must(err, "ColumnTypes")
		if got := strings.Join(names, " "); got != "key value" || len(types) != 2 {
			s.Errorf("%s the columns are %q with %d types, not key and value", filled, got, len(types))
		}
		s.must(rows.Close(), "closing rows")
		s.insert(s.db, "a", nil)
	}
}
