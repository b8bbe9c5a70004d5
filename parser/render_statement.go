package parser

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
	case *Savepoint:
		r.text([...]string{"SAVEPOINT ", "ROLLBACK TO ", "RELEASE "}[s.Kind], quoteName(s.Name))
	case *Backup:
		r.text("BACKUP TO ", s.To)
	case *Verify:
		r.text("VERIFY")
	}
}

func (r *renderer) selectStatement(s *Select) {
	for i, cte := range s.With {
		r.text([...]string{"WITH ", ", "}[min(i, 1)], quoteName(cte.Name), " AS (")
		r.selectStatement(cte.Select)
		r.text(")")
	}
	if len(s.With) > 0 {
		r.text(" ")
	}
	r.core(s.First)
	for _, u := range s.Unions {
		r.text(map[bool]string{true: " UNION ALL ", false: " UNION "}[u.All])
		r.core(u.Core)
	}
	if len(s.OrderBy) > 0 {
		r.text(" ")
		r.orderBy(s.OrderBy)
	}
	r.limit(s)
	r.optional(" AS OF POSITION ", s.AsOf)
	if s.Follow {
		r.text(map[bool]string{true: " FOLLOW PROGRESS", false: " FOLLOW"}[s.Progress])
	}
}

func (r *renderer) limit(s *Select) {
	if s.Limit == nil && s.Offset != nil {
		r.text(" LIMIT -1") // SQLite knows no OFFSET alone
	}
	r.optional(" LIMIT ", s.Limit)
	r.optional(" OFFSET ", s.Offset)
}

func (r *renderer) core(c *Core) {
	r.text("SELECT ")
	if c.Distinct {
		r.text("DISTINCT ")
	}
	for i, result := range c.Results {
		if i > 0 {
			r.text(", ")
		}
		r.result(result)
	}
	if c.From != nil {
		r.text(" FROM ")
		r.source(c.From)
	}
	r.optional(" WHERE ", c.Where)
	if len(c.GroupBy) > 0 {
		r.text(" GROUP BY ")
		r.list(c.GroupBy)
	}
	r.optional(" HAVING ", c.Having)
}

func (r *renderer) result(result Result) {
	switch {
	case result.Star && result.StarTable != "":
		r.text(quoteName(result.StarTable), ".*")
	case result.Star:
		r.text("*")
	default:
		r.text(result.Expr)
	}
	if result.Alias != "" {
		r.text(" AS ", quoteName(result.Alias))
	}
}

func (r *renderer) source(s Source) {
	switch s := s.(type) {
	case *Table:
		r.table(s)
	case *Derived:
		r.text("(")
		r.selectStatement(s.Select)
		r.text(")")
		r.alias(s.Alias)
	case *Join:
		r.source(s.Left)
		r.text(map[bool]string{true: " LEFT JOIN ", false: " JOIN "}[s.Outer])
		r.rightSource(s.Right)
		r.optional(" ON ", s.On)
		for i, name := range s.Using {
			r.text([...]string{" USING (", ", "}[min(i, 1)], quoteName(name))
		}
		if len(s.Using) > 0 {
			r.text(")")
		}
	}
}

// rightSource puts a join that is the right side of another into parentheses.
func (r *renderer) rightSource(s Source) {
	if _, ok := s.(*Join); !ok {
		r.source(s)
		return
	}
	r.text("(")
	r.source(s)
	r.text(")")
}

func (r *renderer) table(t *Table) {
	if t.Param != nil {
		r.param(t.Param)
		return
	}
	if t.Schema != "" {
		r.text(t.Schema, ".")
	}
	r.text(quoteName(t.Name))
	r.alias(t.Alias)
}

func (r *renderer) alias(alias string) {
	if alias != "" {
		r.text(" AS ", quoteName(alias))
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

func (r *renderer) show(s *Show) {
	r.text("SHOW ")
	r.text(map[string]string{
		"tables": "TABLES", "streams": "STREAMS", "types": "TYPES", "columns": "COLUMNS FROM ",
	}[s.What])
	if s.Table != nil {
		r.table(s.Table)
	}
	r.optional(" LIKE ", s.Like)
	r.optional(" LIMIT ", s.Limit)
}
