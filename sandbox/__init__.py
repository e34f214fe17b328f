"""HTTP simulators of the vendors, with faults on request. They do not know Hamyon.

What they do as the vendor documents, and what is an assumption, stands beside the code; one
difference is wanted: webhooks may go to plain ``http`` on this machine, where the vendor takes
``https`` only.
"""
