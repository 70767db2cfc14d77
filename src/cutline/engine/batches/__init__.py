"""Jobs through a service's batch API: sent as files, answered within a day, at half the price.

``submitting`` prepares pictures as for ordinary requests and sends them in files, ``watching`` tells how far
the service is, ``collecting`` takes the answers through an ordinary run into the same journal and output.
"""
