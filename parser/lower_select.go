package parser

import "github.com/xwb1989/sqlparser"

// results fills in the expressions of a SELECT list.
func (l *lowerer) results(list []Result, es sqlparser.SelectExprs) {
	if len(list) != len(es) {
		panic("another SELECT list came back")
	}
	for i, e := range es {
		switch e := e.(type) {
		case *sqlparser.AliasedExpr:
			if !e.As.IsEmpty() || list[i].Star {
				panic("an alias came back")
			}
			list[i].Expr = l.expr(e.Expr)
		case *sqlparser.StarExpr:
			if !list[i].Star {
				l.p.fail(l.tokenAt(list[i].Pos), "a * must stand alone")
			}
		default:
			panic("an item came back that is no expression")
		}
	}
}

// ons fills in the conditions of the joins, which come in the order of the text.
func (l *lowerer) ons(joins []*Join, from sqlparser.TableExprs) {
	conditions := conditionsOf(from, nil)
	if len(conditions) != len(joins) {
		panic("other joins came back")
	}
	for i, e := range conditions {
		joins[i].On = l.expr(e)
	}
}

// conditionsOf collects what stands behind ON, in the order of the text.
func conditionsOf(tables sqlparser.TableExprs, list []sqlparser.Expr) []sqlparser.Expr {
	for _, t := range tables {
		switch t := t.(type) {
		case *sqlparser.ParenTableExpr:
			list = conditionsOf(t.Exprs, list)
		case *sqlparser.JoinTableExpr:
			list = conditionsOf(sqlparser.TableExprs{t.LeftExpr, t.RightExpr}, list)
			if t.Condition.On != nil {
				list = append(list, t.Condition.On)
			}
		}
	}
	return list
}

// tail lowers ORDER BY, LIMIT and OFFSET.
func (l *lowerer) tail(sel *Select, tail tailClauses, orders []orderMeta, by sqlparser.OrderBy, limit *sqlparser.Limit) {
	if len(orders) != len(by) {
		panic("another ORDER BY came back")
	}
	for i, o := range by {
		sel.OrderBy = append(sel.OrderBy, Order{Expr: l.expr(o.Expr), Desc: orders[i].desc, Nulls: orders[i].nulls})
	}
	if limit == nil {
		return
	}
	sel.Limit, sel.Offset = l.expr(limit.Rowcount), l.expr(limit.Offset)
	if tail.limit == nil || l.p.limitAll(tail.limit) {
		sel.Limit, sel.Offset = nil, sel.Limit // an OFFSET alone was written as a LIMIT
	}
}
