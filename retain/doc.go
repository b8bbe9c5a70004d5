// Package retain erases events that are older or more than a policy lets a store keep. It works
// through database/sql alone, with the statement ERASE of an eventfold store.
//
// A policy is a JSON text:
//
//	{
//	  "rules": [
//	    {
//	      "name": "page views",
//	      "types": ["PageViewed", "Searched"],
//	      "older_than": "90d",
//	      "erase": "content",
//	      "reason": "retention: page views are kept for 90 days"
//	    },
//	    {
//	      "name": "carts",
//	      "categories": ["cart"],
//	      "keep_last": 20,
//	      "older_than": "P6M",
//	      "erase": "content",
//	      "reason": "retention: the last 20 events of a cart, and half a year"
//	    }
//	  ]
//	}
//
// A rule names events by what all of these say:
//
//	types       the event's type is one of these
//	categories  the category of its stream is one of these: what stands before the first -
//	streams     the name of its stream fits the pattern, as glob has them: "cart-*"
//	older_than  it was recorded longer ago than 720h, 90d, or P1Y6M (ISO 8601)
//	keep_last   it is not among the last so many events of its stream
//
// older_than or keep_last must be there, with both an event must be old and not among the last.
// erase says what is erased, and must be "content": payload and metadata, see ERASE. reason is what
// ERASE writes down with it. name tells the rules apart. Keys that are unknown or given twice are
// refused, as is everything that a rule could not mean.
//
// [Policy.Plan] tells what the rules would erase, [Policy.Run] erases it, and [Policy.Every] does so
// again and again. The clock is the store's own, now() in SQL. Who erases is told by the key actor
// of the data source name.
package retain
