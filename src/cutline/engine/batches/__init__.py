"""Jobs through a service's batch API: sent as files, processed within a day, at half the price.

``submit`` prepares pictures as for ordinary requests and uploads them in files, ``status`` shows the state of
the batches, ``collect`` takes the replies through an ordinary run into the same journal and output.
"""
