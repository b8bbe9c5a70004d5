package parser

// renderStatement returns a statement as text, its expressions as Render gives them. The tests read
// it again: it must be the same tree.
func renderStatement(s Statement) string {
	var r renderer
	r.statement(s)
	return r.String()
}

func (r *renderer) statement(s Statement) {
	switch s := s.(type) {
	case *Select:
		r.selectStatement(s)
	case *Insert:
		r.insert(s)
	case *Guard:
		r.text("EXPECT ")
		r.table(s.Table)
		r.text(" ")
		r.expectations(s.Expect)
	case *Erase:
		r.text("ERASE FROM ")
		r.table(s.From)
		r.optional(" WHERE ", s.Where)
		r.optional(" REASON ", s.Reason)
	case *CreateView:
		r.createView(s)
	case *DropView:
		r.text("DROP VIEW ", map[bool]string{true: "IF EXISTS "}[s.IfExists])
		r.table(s.View)
	case *Show:
		r.show(s)
	case *Describe:
		r.text("DESCRIBE ")
		r.table(s.Table)
	case *Explain:
		r.text("EXPLAIN ")
		if s.Analyze {
			r.text("ANALYZE ")
		}
		r.statement(s.Statement)
	case *Transaction:
		r.text([...]string{"BEGIN", "COMMIT", "ROLLBACK"}[s.Kind])
		r.text([...]string{"", " ISOLATION LEVEL SNAPSHOT", " ISOLATION LEVEL SERIALIZABLE"}[s.Isolation])
		if s.ReadOnly {
			r.text(" READ ONLY")
		}
	case *Savepoint:
		r.text([...]string{"SAVEPOINT ", "ROLLBACK TO ", "RELEASE "}[s.Kind], quoteName(s.Name))
	case *Forget:
		r.text("FORGET SUBJECT ", s.Subject, " REASON ", s.Reason)
	case *Backup:
		r.text("BACKUP TO ", s.To)
	case *Verify:
		r.text("VERIFY")
	}
}

func (r *renderer) names(names []Name) {
	for i, n := range names {
		if i > 0 {
			r.text(", ")
		}
		r.text(quoteName(n.Text))
	}
}

func (r *renderer) insert(s *Insert) {
	r.text("INSERT INTO ")
	r.table(s.Into)
	if len(s.Columns) > 0 {
		r.text(" (")
		r.names(s.Columns)
		r.text(")")
	}
	for i, row := range s.Rows {
		r.text([...]string{" VALUES (", ", ("}[min(i, 1)])
		r.list(row)
		r.text(")")
	}
	if len(s.Expect) > 0 {
		r.text(" EXPECTING ")
		r.expectations(s.Expect)
	}
	switch {
	case s.Returning == nil:
	case s.Returning.Star:
		r.text(" RETURNING *")
	default:
		r.text(" RETURNING ")
		r.names(s.Returning.Columns)
	}
}

func (r *renderer) expectations(list []Expectation) {
	for i, e := range list {
		if i > 0 {
			r.text(", ")
		}
		r.text([...]string{
			"ANY", "NO STREAM", "STREAM EXISTS", "VERSION ", "NO EVENT FROM ",
		}[e.Kind])
		r.optional("", e.Version)
		if e.From != nil {
			r.table(e.From)
		}
		r.optional(" WHERE ", e.Where)
		r.optional(" AFTER ", e.After)
	}
}

func (r *renderer) createView(s *CreateView) {
	r.text("CREATE ", map[bool]string{true: "OR REPLACE "}[s.Replace],
		map[bool]string{true: "MATERIALIZED "}[s.Materialized], "VIEW ")
	r.text(map[bool]string{true: "IF NOT EXISTS "}[s.IfNotExists])
	r.table(s.View)
	r.text(" AS ")
	r.selectStatement(s.Select)
}

func (r *renderer) show(s *Show) {
	r.text("SHOW ")
	r.text(map[string]string{
		"tables": "TABLES", "streams": "STREAMS", "types": "TYPES", "columns": "COLUMNS FROM ",
		"views": "VIEWS", "view": "CREATE VIEW ",
	}[s.What])
	if s.Table != nil {
		r.table(s.Table)
	}
	r.optional(" LIKE ", s.Like)
	r.optional(" LIMIT ", s.Limit)
}
