package shred_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/eventfold/eventfold/shred"
)

// Example seals an address, forgets whose it is, and begins anew.
func Example() {
	dir, err := os.MkdirTemp("", "shred")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	// On another disk, and never in the backup that has the keys.
	epochs, err := shred.OpenEpochFiles(filepath.Join(dir, "epochs"), "")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	keys, err := shred.OpenFile(ctx, shred.FileOptions{
		Dir: filepath.Join(dir, "keys"), Epochs: epochs, Create: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer keys.Close()

	type placed struct {
		Customer string  `json:"customer"`
		Email    string  `json:"email" pii:"Customer"`
		Total    float64 `json:"total"`
	}
	at := shred.Place{Stream: "order-7", Type: "Placed"}
	payload, err := shred.Marshal(ctx, keys, at, placed{"customer:42", "ada@example.com", 12.5})
	if err != nil {
		log.Fatal(err)
	}

	if _, err := keys.Erase(ctx, "customer:42", "Art. 17, ticket 114"); err != nil {
		log.Fatal(err)
	}
	var event placed
	forgotten, err := shred.Unmarshal(ctx, keys, at, payload, &event)
	fmt.Printf("%+v %v %v\n", event, forgotten, err)

	_, err = shred.Marshal(ctx, keys, at, placed{"customer:42", "ada@example.org", 3})
	fmt.Println(errors.Is(err, shred.ErrForgotten))
	fmt.Println(keys.Allow(ctx, "customer:42"))
	// Output:
	// {Customer:customer:42 Email: Total:12.5} [$."email"] <nil>
	// true
	// <nil>
}
