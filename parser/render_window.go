package parser

// window writes what stands behind OVER, or behind the AS of a WINDOW.
func (r *renderer) window(w *Window) {
	if w.Name.Text != "" {
		r.text(quoteName(w.Name.Text))
		return
	}
	space := "("
	if w.Base.Text != "" {
		r.text(space, quoteName(w.Base.Text))
		space = " "
	}
	if len(w.PartitionBy) > 0 {
		r.text(space, "PARTITION BY ")
		r.list(w.PartitionBy)
		space = " "
	}
	if len(w.OrderBy) > 0 {
		r.text(space)
		r.orderBy(w.OrderBy)
		space = " "
	}
	if w.Frame != nil {
		r.text(space)
		r.frame(w.Frame)
		space = ""
	}
	if space == "(" {
		r.text(space)
	}
	r.text(")")
}

func (r *renderer) frame(f *Frame) {
	r.text([...]string{"RANGE", "ROWS", "GROUPS"}[f.Unit], " BETWEEN ")
	r.bound(f.Start)
	r.text(" AND ")
	r.bound(f.End)
	r.text([...]string{"", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"}[f.Exclude])
}

func (r *renderer) bound(b Bound) {
	if b.Offset != nil {
		r.text(b.Offset, " ")
	}
	r.text([...]string{
		"UNBOUNDED PRECEDING", "PRECEDING", "CURRENT ROW", "FOLLOWING", "UNBOUNDED FOLLOWING",
	}[b.Kind])
}

// windows writes WINDOW and the windows that it names.
func (r *renderer) windows(list []NamedWindow) {
	for i, w := range list {
		r.text([...]string{" WINDOW ", ", "}[min(i, 1)], quoteName(w.Name.Text), " AS ")
		r.window(w.Window)
	}
}
