//! What messages say to do.
