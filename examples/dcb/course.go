package main

import (
	"context"
	"fmt"
)

// Course subscriptions: a course takes only so many students, and a student only so many courses.
// Neither rule belongs to one stream.

const maxCourses = 3 // of one student

func (d *decider) defineCourse(ctx context.Context, course string, capacity int) error {
	_, err := d.db.ExecContext(ctx, `INSERT INTO ? (type, payload, tags) VALUES ('CourseDefined', ?, ?)
		EXPECTING NO STREAM`,
		"course-"+course, fmt.Sprintf(`{"capacity": %d}`, capacity), []string{"course:" + course})
	return err
}

func (d *decider) subscribe(ctx context.Context, student, course string) error {
	courseTag, studentTag := "course:"+course, "student:"+student
	return d.decide(func() error {
		var last, capacity *int64
		var taken, courses, already int64
		err := d.db.QueryRowContext(ctx, `
			SELECT MAX(position),
			       LAST(payload->>'$.capacity') FILTER (WHERE type = 'CourseDefined' AND HAS(tags, $1)),
			       COUNT(*) FILTER (WHERE type = 'StudentSubscribed' AND HAS(tags, $1)),
			       COUNT(*) FILTER (WHERE type = 'StudentSubscribed' AND HAS(tags, $2)),
			       COUNT(*) FILTER (WHERE type = 'StudentSubscribed' AND HAS(tags, $1) AND HAS(tags, $2))
			FROM $all WHERE HAS(tags, $1) OR HAS(tags, $2)`, courseTag, studentTag).
			Scan(&last, &capacity, &taken, &courses, &already)
		switch {
		case err != nil:
			return err
		case capacity == nil:
			return refusal("there is no such course")
		case already > 0:
			return refusal("the student has this course already")
		case taken >= *capacity:
			return refusal("the course is full")
		case courses >= maxCourses:
			return refusal("the student has too many courses")
		}
		_, err = d.db.ExecContext(ctx, `
			INSERT INTO $1 (type, tags) VALUES ('StudentSubscribed', $2)
			EXPECTING NO EVENT FROM $all WHERE HAS(tags, $3) OR HAS(tags, $4) AFTER $5`,
			"course-"+course, []string{courseTag, studentTag}, courseTag, studentTag, last)
		return err
	})
}
