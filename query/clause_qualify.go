package query

// qualifyScope is the scope of QUALIFY, which comes behind the window functions.
func (c *coreScope) qualifyScope() *clauseScope {
	return &clauseScope{coreScope: c, clause: "QUALIFY", grouped: c.aggregate, aggregate: true,
		window: true, aliases: true}
}

// compileQualify compiles the conditions on the results of window functions.
func (c *coreScope) compileQualify(p *corePlan) error {
	if c.qualify == nil {
		return nil
	}
	for _, e := range conjuncts(c.qualify) {
		x, err := c.qualifyScope().compile(e)
		if err != nil {
			return err
		}
		p.qualify = append(p.qualify, x.Condition())
	}
	if len(c.windows) == 0 {
		e := errorf(BadStatement, c.qualify.At(), "QUALIFY needs a window function")
		e.Hint = "a condition on rows stands in WHERE, one on groups in HAVING"
		return e
	}
	p.texts.qualify = exprText(c.qualify)
	return nil
}
