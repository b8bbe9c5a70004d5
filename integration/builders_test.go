package integration

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/eventfold/eventfold"
)

// A gormEvent is an event as gorm declares it: what the store assigns is only read.
type gormEvent struct {
	Position   int64 `gorm:"->"`
	Version    int64 `gorm:"->"`
	Type       string
	Payload    string
	RecordedAt time.Time `gorm:"->"`
}

// TestGorm: the dialect postgres works as it is, mysql without gorm's own transaction around each
// Create.
func TestGorm(t *testing.T) {
	dialects := map[string]func(*sql.DB) gorm.Dialector{
		"postgres": func(db *sql.DB) gorm.Dialector { return postgres.New(postgres.Config{Conn: db}) },
		"mysql":    func(db *sql.DB) gorm.Dialector { return mysql.New(mysql.Config{Conn: db}) },
	}
	for name, dialect := range dialects {
		g, err := gorm.Open(dialect(openStore(t)), &gorm.Config{
			SkipDefaultTransaction: name == "mysql",
			Logger:                 logger.Discard,
		})
		require.NoError(t, err, name)
		orders := func() *gorm.DB { return g.Table("order-1") }
		require.NoError(t, orders().Create(map[string]any{
			"type": "Placed", "payload": `{"n": 1}`, "expected_version": "no stream",
		}).Error, name)
		require.NoError(t, orders().Create([]map[string]any{
			{"type": "Paid", "payload": "{}"}, {"type": "Sent", "payload": "{}"},
		}).Error, name)
		require.NoError(t, orders().Create(&gormEvent{Type: "Paid", Payload: `{"n": 2}`}).Error, name)
		requireConflict(t, orders().Create(map[string]any{"type": "Paid", "expected_version": 7}).Error, "order-1", 3)

		var list []gormEvent
		require.NoError(t, orders().Where("type = ?", "Paid").Order("version DESC").Limit(10).Find(&list).Error, name)
		require.Len(t, list, 2, name)
		assert.Equal(t, []any{int64(3), `{"n": 2}`, false}, []any{
			list[0].Version, list[0].Payload, list[0].RecordedAt.IsZero(),
		}, name)
		var n int64
		require.NoError(t, g.Table("$all").Where("type IN ?", []string{"Paid", "Sent"}).Count(&n).Error, name)
		assert.Equal(t, int64(3), n, name)
		require.NoError(t, g.Transaction(func(tx *gorm.DB) error {
			return tx.Exec(`INSERT INTO "order-2" (type) VALUES (?) EXPECTING NO STREAM`, "Placed").Error
		}), name)
	}

	// What happens with gorm's defaults: nothing is stored, and the error says why.
	g, err := gorm.Open(dialects["mysql"](openStore(t)), &gorm.Config{Logger: logger.Discard})
	require.NoError(t, err)
	err = g.Table("order-1").Create(map[string]any{"type": "Placed"}).Error
	assert.ErrorIs(t, err, eventfold.ErrTransaction)
	var n int64
	require.NoError(t, g.Table("$all").Count(&n).Error)
	assert.Zero(t, n)
}

// A bunEvent is an event as bun declares it.
type bunEvent struct {
	bun.BaseModel `bun:"table:order-1"`
	Position      int64 `bun:",scanonly"`
	Version       int64 `bun:",scanonly"`
	Type          string
	Payload       string
	RecordedAt    time.Time `bun:",scanonly"`
}

// TestBun: models, RETURNING, maps with expected_version, transactions; any of its dialects will
// do.
func TestBun(t *testing.T) {
	ctx := context.Background()
	for _, dialect := range []schema.Dialect{pgdialect.New(), sqlitedialect.New()} {
		b := bun.NewDB(openStore(t), dialect)
		e := &bunEvent{Type: "Placed", Payload: `{"n": 1}`}
		_, err := b.NewInsert().Model(e).Returning("version").Exec(ctx)
		require.NoError(t, err)
		more := []bunEvent{{Type: "Paid", Payload: "{}"}, {Type: "Sent", Payload: "{}"}}
		_, err = b.NewInsert().Model(&more).Exec(ctx)
		require.NoError(t, err)
		values := map[string]any{"type": "Paid", "expected_version": 9}
		_, err = b.NewInsert().Model(&values).TableExpr(`"order-1"`).Exec(ctx)
		requireConflict(t, err, "order-1", 2)

		var list []bunEvent
		require.NoError(t,
			b.NewSelect().Model(&list).Column("version", "type", "recorded_at").Where("type <> ?",
				"Paid").Order("version DESC").Scan(ctx))
		require.Len(t, list, 2)
		assert.Equal(t, int64(2), list[0].Version)
		n, err := b.NewSelect().TableExpr("$all").Where("type IN (?)", bun.List([]string{"Paid", "Sent"})).Count(ctx)
		require.NoError(t, err)
		assert.Equal(t, 2, n)
		require.NoError(t, b.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewInsert().Model(&bunEvent{Type: "Paid", Payload: "{}"}).Exec(ctx)
			return err
		}))
	}
}
