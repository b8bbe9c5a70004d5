package transfer

import (
	"errors"

	"github.com/google/uuid"
)

// foreignIDs are the ids of events of others: the same for the same id and source.
var foreignIDs = uuid.MustParse("5d2f7c1e-54c6-5d0a-9d0e-3c1d0e8f6b7a")

// idOf returns the id of an event of which a file has it as a text, in any format. One that is no
// UUID gives the same each time. None, or one that is all zeros, is refused: a store would give the
// event a new one, another one each time that the file is imported.
func idOf(text, source string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	switch {
	case text == "":
		return id, errors.New("it has no id, by which it is known when it is imported again")
	case err != nil || len(text) != 36:
		return uuid.NewSHA1(foreignIDs, []byte(source+"\x00"+text)), nil
	case id == uuid.Nil:
		return id, errors.New("its id is all zeros, which stands for none: give the event an id of its own, " +
			"by which it is known when it is imported again")
	}
	return id, nil
}
