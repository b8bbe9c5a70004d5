package parser

import "reflect"

// Tables lists the tables that a SELECT names, wherever they stand in it. Names that WITH defines
// are among them. It looks at every field of every node, so that none is forgotten, and is for what
// is not done often.
func Tables(sel *Select) []*Table {
	var list []*Table
	eachTable(reflect.ValueOf(sel), &list)
	return list
}

func eachTable(v reflect.Value, list *[]*Table) {
	switch v.Kind() {
	case reflect.Interface:
		eachTable(v.Elem(), list)
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		if t, ok := v.Interface().(*Table); ok {
			*list = append(*list, t)
		}
		eachTable(v.Elem(), list)
	case reflect.Struct:
		for i := range v.NumField() {
			eachTable(v.Field(i), list)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachTable(v.Index(i), list)
		}
	}
}
