module github.com/eventfold/eventfold/integration

go 1.26.0

require (
	github.com/eventfold/eventfold v0.0.0
	github.com/stretchr/testify v1.12.1
	modernc.org/sqlite v1.62.0
)

replace github.com/eventfold/eventfold => ..
