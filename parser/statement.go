package parser

// readExplain reads EXPLAIN [ANALYZE | QUERY PLAN].
func readExplain(p *parser) Statement {
	e := &Explain{Pos: p.next().off}
	if !p.accept("QUERY", "PLAN") {
		e.Analyze = p.accept("ANALYZE")
	}
	if !p.word("SELECT", "WITH", "VALUES", "INSERT", "ERASE") {
		p.wants("EXPLAIN takes a SELECT, an INSERT or an ERASE")
		return e
	}
	if e.Analyze && p.word("INSERT", "ERASE") {
		p.fail(p.at, "EXPLAIN ANALYZE runs the statement and takes only a SELECT")
		return e
	}
	e.Statement = p.statement()
	return e
}

// wants refuses what stands at the cursor instead of the words that may.
func (p *parser) wants(words string) {
	if p.ended() {
		p.unexpected(p.at)
		return
	}
	p.surprised(p.at, words+", not "+p.quote(p.at))
}

// showWords are what SHOW shows.
var showWords = map[string]string{
	"TABLES": "tables", "STREAMS": "streams", "TYPES": "types", "VIEWS": "views",
	"FUNCTIONS": "functions", "COLUMNS": "columns",
}

// readShow reads SHOW.
func readShow(p *parser) Statement {
	s := &Show{Pos: p.next().off}
	if p.accept("CREATE", "VIEW") {
		s.What, s.Table = "view", p.view()
		return s
	}
	s.What = showWords[p.tok().key]
	if s.What == "" {
		p.wants("SHOW takes TABLES, STREAMS, TYPES, VIEWS, FUNCTIONS, CREATE VIEW name or COLUMNS FROM table")
		return s
	}
	p.at++
	if s.What == "columns" {
		if !p.accept("IN") {
			p.expect("FROM")
		}
		s.Table = p.table()
		return s
	}
	if p.accept("LIKE") {
		if t := p.tok(); t.kind != tokString && t.kind != tokParam {
			p.unexpected(p.at)
			return s
		}
		s.Like = p.constant()
	}
	if p.accept("LIMIT") {
		s.Limit = p.bind()
	}
	return s
}

// constant reads a literal or a parameter at the cursor.
func (p *parser) constant() Expr {
	t := p.next()
	if param, ok := t.value.(*Param); ok {
		return param
	}
	return &Literal{Pos: t.off, Value: t.value}
}

// readDescribe reads DESCRIBE table.
func readDescribe(p *parser) Statement {
	d := &Describe{Pos: p.next().off}
	d.Table = p.table()
	return d
}

// readTransaction reads BEGIN and START TRANSACTION with their modes, COMMIT, END and ROLLBACK.
func readTransaction(p *parser) Statement {
	t := p.next()
	tx := &Transaction{Pos: t.off}
	switch t.key {
	case "BEGIN":
		if p.word("IMMEDIATE", "DEFERRED") {
			p.at++
		} else if p.word("EXCLUSIVE") {
			p.fail(p.at, "there are no exclusive transactions")
		}
		p.acceptWork()
		p.transactionModes(tx)
	case "START":
		p.expect("TRANSACTION")
		p.transactionModes(tx)
	case "COMMIT", "END":
		tx.Kind = Commit
		p.acceptWork()
	case "ROLLBACK":
		tx.Kind = Rollback
		p.acceptWork()
		if p.accept("TO") {
			p.accept("SAVEPOINT")
			return &Savepoint{Pos: t.off, Kind: SavepointRollback, Name: p.name().Text}
		}
	}
	return tx
}

// transactionModes reads ISOLATION LEVEL level, READ ONLY and READ WRITE, with commas between them or
// without.
func (p *parser) transactionModes(tx *Transaction) {
	for first := true; ; first = false {
		comma := !first && p.accept(",")
		switch {
		case p.accept("ISOLATION"):
			p.expect("LEVEL")
			tx.Isolation = p.isolation()
		case p.accept("READ", "ONLY"):
			tx.ReadOnly = true
		case p.accept("READ", "WRITE"):
			tx.ReadOnly = false
		default:
			if comma {
				p.unexpected(p.at)
			}
			return
		}
	}
}

// isolation reads an isolation level.
func (p *parser) isolation() IsolationLevel {
	switch {
	case p.accept("SERIALIZABLE"):
		return SerializableIsolation
	case p.accept("REPEATABLE", "READ"), p.accept("SNAPSHOT"):
		return SnapshotIsolation
	case p.words(p.at, "READ", "COMMITTED"), p.words(p.at, "READ", "UNCOMMITTED"):
		p.fail(p.at, "a transaction reads one snapshot, not what others commit meanwhile",
			"write REPEATABLE READ or SERIALIZABLE")
	default:
		p.wants("ISOLATION LEVEL takes SERIALIZABLE, REPEATABLE READ or SNAPSHOT")
	}
	return DefaultIsolation
}

func (p *parser) acceptWork() {
	if p.word("TRANSACTION", "WORK") {
		p.at++
	}
}

// readSavepoint reads SAVEPOINT name and RELEASE [SAVEPOINT] name.
func readSavepoint(p *parser) Statement {
	t := p.next()
	s := &Savepoint{Pos: t.off, Kind: SavepointSet}
	if t.is("RELEASE") {
		s.Kind = SavepointRelease
		if p.word("SAVEPOINT") && p.toks[p.at+1].naming() {
			p.at++
		}
	}
	s.Name = p.name().Text
	return s
}

// readBackup reads BACKUP TO directory.
func readBackup(p *parser) Statement {
	b := &Backup{Pos: p.next().off}
	p.expect("TO")
	b.To = p.expr()
	return b
}

// readForget reads FORGET SUBJECT subject REASON reason.
func readForget(p *parser) Statement {
	f := &Forget{Pos: p.next().off}
	if !p.accept("SUBJECT") {
		p.wants("FORGET takes SUBJECT, its name, and a reason: FORGET SUBJECT 'customer:42' REASON 'why'")
		return f
	}
	f.Subject = p.expr()
	if !p.accept("REASON") {
		p.wants("FORGET SUBJECT takes a REASON behind the subject")
		return f
	}
	f.Reason = p.expr()
	return f
}

// readVerify reads VERIFY.
func readVerify(p *parser) Statement { return &Verify{Pos: p.next().off} }
