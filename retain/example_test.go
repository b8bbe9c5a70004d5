package retain_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	_ "github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/retain"
)

// A plan tells what a policy would erase, and erases nothing.
func ExamplePolicy_Plan() {
	policy, err := retain.Parse([]byte(`{"rules": [{
		"name": "carts",
		"categories": ["cart"],
		"keep_last": 2,
		"erase": "content",
		"reason": "retention: the last two events of a cart"
	}]}`))
	if err != nil {
		log.Fatal(err) // retain: line 3: rule "carts": ...
	}
	db, err := sql.Open("eventfold", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec(`INSERT INTO cart-7 (type) VALUES ('Created'), ('Added'), ('Added'), ('Ordered')`)
	if err != nil {
		log.Fatal(err)
	}

	plan, err := policy.Plan(context.Background(), db)
	if err != nil {
		log.Fatal(err)
	}
	for _, rule := range plan {
		fmt.Println(rule.Rule, rule.Events)
	}
	// Output: carts 2
}
