// Package tools holds eventfold against programs that show, watch and wrap databases: Grafana, what
// sql_exporter does, sqlhooks, dbr, dburl, and a detector of leaks. It is a module beside integration
// because of what these bring along.
package tools
