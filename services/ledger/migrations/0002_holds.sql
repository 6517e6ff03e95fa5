-- What is held beyond its time in one book is looked for with each transfer: by the book first.
CREATE INDEX holds_of_book_by_expire_time ON holds (project, expire_time) WHERE state = 'PENDING';
