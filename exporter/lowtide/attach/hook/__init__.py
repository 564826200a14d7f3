"""What ``lowtide run`` puts in front of PYTHONPATH: Python imports ``sitecustomize`` from here when it starts."""
