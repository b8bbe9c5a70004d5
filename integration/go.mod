module github.com/eventfold/eventfold/integration

go 1.26.0

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/eventfold/eventfold v0.0.0
	github.com/stretchr/testify v1.12.1
	github.com/google/uuid v1.6.0
	modernc.org/sqlite v1.62.0
	pgregory.net/rapid v1.3.0
)

replace github.com/eventfold/eventfold => ..
