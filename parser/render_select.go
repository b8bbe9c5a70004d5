package parser

func (r *renderer) selectStatement(s *Select) {
	r.with(s)
	r.core(s.First)
	for _, u := range s.Unions {
		r.text(" ", u.Op.String(), map[bool]string{true: " ALL ", false: " "}[u.All])
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
		r.optional(" AFTER ", s.After)
	}
}

func (r *renderer) with(s *Select) {
	for i, cte := range s.With {
		switch {
		case i > 0:
			r.text(", ")
		case s.Recursive:
			r.text("WITH RECURSIVE ")
		default:
			r.text("WITH ")
		}
		r.text(quoteName(cte.Name))
		r.namesInParentheses(cte.Columns)
		r.text(" AS (")
		r.selectStatement(cte.Select)
		r.text(")")
	}
	if len(s.With) > 0 {
		r.text(" ")
	}
}

// namesInParentheses writes a list of names behind a blank, if there are any.
func (r *renderer) namesInParentheses(names []Name) {
	for i, n := range names {
		r.text([...]string{" (", ", "}[min(i, 1)], quoteName(n.Text))
	}
	if len(names) > 0 {
		r.text(")")
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
	if c.Values != nil {
		r.values(c.Values)
		return
	}
	r.text("SELECT ")
	if c.Distinct {
		r.text("DISTINCT ")
	}
	if len(c.DistinctOn) > 0 {
		r.text("ON (")
		r.list(c.DistinctOn)
		r.text(") ")
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
	r.groupBy(c)
	r.optional(" HAVING ", c.Having)
	r.windows(c.Windows)
	r.optional(" QUALIFY ", c.Qualify)
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
	if len(result.Exclude) > 0 {
		r.text(" EXCLUDE")
		r.namesInParentheses(result.Exclude)
	}
	for i, x := range result.Replace {
		r.text([...]string{" REPLACE (", ", "}[min(i, 1)], x.Expr, " AS ", quoteName(x.Name.Text))
	}
	if len(result.Replace) > 0 {
		r.text(")")
	}
}

func (r *renderer) source(s Source) {
	switch s := s.(type) {
	case *Table:
		r.table(s)
	case *TableFunc:
		r.text(quoteName(s.Name), "(")
		r.list(s.Args)
		r.text(")")
		r.alias(s.Alias)
		r.columns(" ", s.Columns)
	case *Derived:
		r.text([...]string{"(", "LATERAL ("}[number(s.Lateral)])
		r.selectStatement(s.Select)
		r.text(")")
		r.alias(s.Alias)
		r.columns(" ", s.Columns)
	case *Join:
		r.source(s.Left)
		r.text([...]string{"", " NATURAL"}[number(s.Natural)])
		r.text([...]string{" JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN "}[s.Kind])
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

// values writes the rows of VALUES.
func (r *renderer) values(rows [][]Expr) {
	for i, row := range rows {
		r.text([...]string{"VALUES (", ", ("}[min(i, 1)])
		r.list(row)
		r.text(")")
	}
}

// columns writes a list of names in parentheses, if there are any.
func (r *renderer) columns(prefix string, names []Name) {
	for i, n := range names {
		r.text([...]string{prefix + "(", ", "}[min(i, 1)], quoteName(n.Text))
	}
	if len(names) > 0 {
		r.text(")")
	}
}

// number is 1 for true.
func number(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
