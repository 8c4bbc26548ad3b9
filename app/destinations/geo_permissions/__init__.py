"""The provider's geo permissions, compared with the policies."""
