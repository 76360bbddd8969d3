-- Messages may be signed by a callback secret; those made before know no text to sign by.
ALTER TABLE callback_secret ADD COLUMN sealed {bytes};
